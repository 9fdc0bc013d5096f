-- QMS: grown beside the LIMS by the same vendor; what customers say is typed in as they said it.
create schema qms;

create table qms.nonconformities (
    nc_no       varchar(16)  primary key,
    source      varchar(4)   not null,              -- RAW, IPC, FG, CMP
    sample_no   varchar(20),
    lot_no      varchar(32),
    batch_id    varchar(24),
    material_no varchar(18)  not null,
    parameter   varchar(16),
    severity    smallint     not null,              -- 1 minor, 2 major, 3 critical
    description varchar(200) not null,
    cause       varchar(12),
    disposition varchar(2)   not null,              -- OP, RT, RW, CO, SC, RS
    responsible varchar(8)   not null,
    opened_at   timestamptz  not null,
    closed_at   timestamptz,
    changed_at  timestamptz  not null
);

create table qms.complaints (
    complaint_no varchar(16)   primary key,
    customer_no  varchar(10)   not null,
    order_no     varchar(10),
    shipment_no  varchar(16),
    lot_no       varchar(32),
    kind         varchar(4)    not null,            -- QUAL quality, QTY quantity, PACK packing, DEL delivery
    description  varchar(200)  not null,
    claimed_qty  numeric(14,4),
    uom          varchar(8)    not null,
    received_at  timestamptz   not null,
    answered_at  timestamptz,
    closed_at    timestamptz,
    verdict      varchar(2)    not null,            -- OP open, JU justified, UN not justified
    nc_no        varchar(16),
    changed_at   timestamptz   not null
);
