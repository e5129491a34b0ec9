-- What providers have not answered yet is shown at every counter of the project (C-14).
create index payment_orders_unsettled on payment_orders (project_id, created_at) where state in ('paying', 'unknown');
