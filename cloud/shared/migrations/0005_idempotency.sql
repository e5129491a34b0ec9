-- The first answer to each API write, by whoever sent it, the key it carried and the route (N-02). Kept for ten days.

create table idempotency_keys (
    user_id int not null,
    key text not null check (length(key) between 8 and 80),
    route text not null,
    body_sha256 bytea not null,
    attempt text not null,
    at timestamptz not null,
    committed boolean not null default false,
    status int,
    media text,
    body bytea,
    primary key (user_id, key, route)
);
comment on column idempotency_keys.attempt is 'who carries it out: a random word of that request';
comment on column idempotency_keys.committed is 'set by the transaction that did the work: then it is never done again, even if the answer was lost';
comment on column idempotency_keys.status is 'of the first answer; null while it is being carried out';
create index idempotency_keys_at on idempotency_keys (at);
grant select, insert, update, delete on idempotency_keys to gatehouse_app;
