-- MES after ISA-95 and ISA-88: long names, instants with a zone, states as words for orders and as numbers for
-- batches. Units are typed in by operators: 'kg', 'KG ', 'Kg', 't'.
create schema mes;

create table mes.production_orders (
    production_order_id    varchar(24)   primary key,
    sales_order_no         varchar(10)   not null,  -- without the ERP's leading zeros
    sales_order_item       smallint      not null,  -- 10, 20, …
    material_definition_id varchar(18)   not null,
    planned_quantity       numeric(14,4) not null,
    quantity_uom           varchar(8)    not null,
    order_status           varchar(12)   not null,  -- CREATED RELEASED RUNNING COMPLETED CLOSED CANCELLED
    planned_start_at       timestamptz   not null,
    planned_end_at         timestamptz   not null,
    last_modified_at       timestamptz   not null
);

create table mes.batches (
    batch_id            varchar(24)   primary key,
    production_order_id varchar(24)   not null references mes.production_orders,
    equipment_id        varchar(12)   not null,
    batch_state         smallint      not null,     -- 20 running, 30 held, 50 complete, 60 aborted
    started_at          timestamptz   not null,
    ended_at            timestamptz,
    actual_quantity     numeric(14,4),
    quantity_uom        varchar(8)    not null,
    last_modified_at    timestamptz   not null
);

create table mes.batch_materials (
    consumption_id         bigint        primary key,
    batch_id               varchar(24)   not null references mes.batches,
    material_lot_id        varchar(32)   not null,
    material_definition_id varchar(18)   not null,
    quantity               numeric(14,4) not null,
    quantity_uom           varchar(8)    not null,
    consumed_at            timestamptz   not null,
    operator_code          varchar(8)    not null,
    last_modified_at       timestamptz   not null
);

create table mes.batch_outputs (
    output_id              bigint        primary key,
    batch_id               varchar(24)   not null references mes.batches,
    material_lot_id        varchar(32)   not null,
    material_definition_id varchar(18)   not null,
    output_kind            varchar(10)   not null,  -- PRODUCT, WASTE
    quantity               numeric(14,4) not null,
    quantity_uom           varchar(8)    not null,
    produced_at            timestamptz   not null,
    last_modified_at       timestamptz   not null
);
