-- WMS: movement types, epoch milliseconds, short status codes. Rows are deleted for good. wms.lots carries no
-- change stamp at all (only a comparison of whole snapshots finds what changed); wms.stock_movements has one but
-- loses mis-posted rows, so a cursor alone keeps them for ever.
create schema wms;

create table wms.lots (
    lot_no        varchar(32)   primary key,
    sku           varchar(16)   not null,
    vendor_no     varchar(10),                      -- ERP supplier without leading zeros; null for own make
    vendor_lot_no varchar(32),
    made_on       date          not null,
    best_before   date,
    qty_on_hand   numeric(14,4) not null,
    uom           varchar(4)    not null,
    status_cd     char(1)       not null,           -- Q quarantine, R released, B blocked
    bin_loc       varchar(12)   not null
);

create table wms.stock_movements (
    mvt_id           bigint        primary key,
    mvt_type         char(3)       not null,        -- 101 receipt, 131 from production, 261 to a batch,
                                                    -- 309 lot to lot, 601 to a customer
    lot_no           varchar(32)   not null,
    dest_lot_no      varchar(32),                   -- 309 only
    sku              varchar(16)   not null,
    qty              numeric(14,4) not null,        -- always positive; the type gives the direction
    uom              varchar(4)    not null,
    ref_doc          varchar(32)   not null,        -- delivery note, batch, transfer or shipment
    posted_epoch_ms  bigint        not null,
    updated_epoch_ms bigint        not null
);

create table wms.shipments (
    ship_no          varchar(16)  primary key,
    so_no            varchar(10)  not null,         -- ERP order without leading zeros
    cust_no          varchar(10)  not null,
    status_cd        smallint     not null,         -- 0 planned, 10 picked, 20 loaded, 90 gone, 99 cancelled
    planned_dt       date         not null,
    gone_at_local    varchar(19),                   -- 2026/11/16 21:30:00, plant local
    truck_no         varchar(12),
    driver_name      varchar(20),                   -- personal data
    updated_epoch_ms bigint       not null
);

create table wms.shipment_lines (
    ship_no          varchar(16)   not null references wms.shipments,
    line_no          smallint      not null,
    lot_no           varchar(32)   not null,
    sku              varchar(16)   not null,
    qty              numeric(14,4) not null,
    uom              varchar(4)    not null,
    updated_epoch_ms bigint        not null,
    primary key (ship_no, line_no)
);
