"""Opening boxes: the hub's private CA, the claim client on the box, the broker's configuration with TLS and ACL."""
