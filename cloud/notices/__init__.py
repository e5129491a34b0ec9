"""Messages to people: SMS, WeChat, mail."""
