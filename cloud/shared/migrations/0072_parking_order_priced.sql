-- When the amount of an order was due, by the box's clock: from then the minutes to leave count, however late it is paid (K-24, Q-84).
alter table parking_orders add column priced_at timestamptz;
update parking_orders set priced_at = created_at;
alter table parking_orders alter column priced_at set not null;
