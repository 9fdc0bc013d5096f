-- LIMS: instants with a zone, short words for states. A sample registered twice and a result of the wrong sample
-- are deleted for good; specifications carry no change stamp.
create schema lims;

create table lims.samples (
    sample_no      varchar(20) primary key,
    sample_type    varchar(4)  not null,            -- RAW, IPC, FG
    lot_no         varchar(32),
    batch_id       varchar(24),
    material_no    varchar(18) not null,
    sampling_point varchar(16) not null,
    barcode        varchar(24),
    requested_at   timestamptz not null,
    requested_by   varchar(8)  not null,
    state          varchar(3)  not null,            -- REQ, SAM, TST, REV, REL, REJ, CAN
    changed_at     timestamptz not null
);

create table lims.sample_events (
    event_id   bigint      primary key,
    sample_no  varchar(20) not null,
    step       varchar(8)  not null,                -- REQUEST, SAMPLE, TEST, REVIEW, RELEASE, REJECT
    done_at    timestamptz not null,
    done_by    varchar(8)  not null,
    scanned    varchar(24),
    station    varchar(12) not null,
    changed_at timestamptz not null
);

create table lims.results (
    result_id  bigint        primary key,
    sample_no  varchar(20)   not null,
    parameter  varchar(16)   not null,
    value      numeric(14,4),
    unit       varchar(8)    not null,
    method     varchar(24)   not null,
    instrument varchar(16)   not null,
    analyst    varchar(8)    not null,
    tested_at  timestamptz   not null,
    state      char(1)       not null,              -- E entered, V validated, S superseded
    changed_at timestamptz   not null
);

create table lims.specifications (
    spec_no        varchar(24)   primary key,
    material_no    varchar(18)   not null,
    sample_type    varchar(4)    not null,          -- RAW, IPC, FG
    parameter      varchar(16)   not null,
    parameter_name varchar(40)   not null,
    lower_limit    numeric(14,4),
    upper_limit    numeric(14,4),
    unit           varchar(8)    not null,
    valid_from     date          not null,
    valid_to       date
);
