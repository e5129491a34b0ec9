-- Large imports go in as a job (O-20): the job that puts one in, so that a second click finds the first one's.

alter table import_runs add column job_id bigint;
comment on column import_runs.job_id is 'the latest job that puts it in; null: none was needed yet';
grant update (job_id) on import_runs to gatehouse_app;
