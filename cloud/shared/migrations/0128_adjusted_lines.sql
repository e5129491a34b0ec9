-- Adjustment lines are looked up by the line they point at: its late fee grows on what they leave of it (F-10, Q-68).
create index charge_lines_adjusts on charge_lines (adjusts) where adjusts is not null;
