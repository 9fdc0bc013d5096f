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

create table mes.operations (
    operation_id        varchar(28) primary key,
    production_order_id varchar(24) not null,
    operation_no        smallint    not null,
    operation_name      varchar(40) not null,
    equipment_id        varchar(12) not null,
    crew_code           varchar(8)  not null,
    planned_start_at    timestamptz not null,
    planned_end_at      timestamptz not null,
    started_at          timestamptz,
    ended_at            timestamptz,
    operation_status    varchar(10) not null,       -- PLANNED, RUNNING, COMPLETED, SKIPPED
    last_modified_at    timestamptz not null
);

create table mes.batch_phases (
    phase_id         varchar(32) primary key,
    batch_id         varchar(24) not null,
    phase_code       smallint    not null,          -- 1, 2, 3, 4, 5, 6
    equipment_id     varchar(12) not null,
    started_at       timestamptz not null,
    ended_at         timestamptz,
    operator_code    varchar(8)  not null,
    last_modified_at timestamptz not null
);

create table mes.phase_parameters (
    parameter_record_id bigint        primary key,
    phase_id            varchar(32)   not null,
    parameter_code      varchar(16)   not null,
    parameter_value     numeric(14,4),
    lower_limit         numeric(14,4),
    upper_limit         numeric(14,4),
    parameter_uom       varchar(8)    not null,
    recorded_at         timestamptz   not null,
    last_modified_at    timestamptz   not null
);

create table mes.equipment_downtime (
    downtime_id      bigint      primary key,
    equipment_id     varchar(12) not null,
    started_at       timestamptz not null,
    ended_at         timestamptz,
    downtime_kind    varchar(8)  not null,          -- PLANNED, FAILURE, WAITING, CHANGE
    cause_code       varchar(12),
    last_modified_at timestamptz not null
);

create table mes.dosing_records (
    dosing_id              bigint        primary key,
    batch_id               varchar(24)   not null,
    material_lot_id        varchar(32)   not null,
    material_definition_id varchar(18)   not null,
    target_quantity        numeric(14,4) not null,
    actual_quantity        numeric(14,4) not null,
    quantity_uom           varchar(8)    not null,
    tolerance_pct          numeric(6,3)  not null,
    dosing_mode            char(1)       not null,  -- A automatic, M by hand
    scale_id               varchar(12)   not null,
    operator_code          varchar(8)    not null,
    dosed_at               timestamptz   not null,
    last_modified_at       timestamptz   not null
);

create table mes.packing_records (
    packing_id             varchar(24)   primary key,
    batch_id               varchar(24)   not null,
    material_lot_id        varchar(32)   not null,
    material_definition_id varchar(18)   not null,
    packing_line           varchar(12)   not null,
    crew_code              varchar(8)    not null,
    container_kind         varchar(8)    not null,  -- DRUM200, IBC1000, TANKER
    filled                 smallint      not null,
    rejected               smallint      not null,
    packed_quantity        numeric(14,4) not null,
    quantity_uom           varchar(8)    not null,
    started_at             timestamptz   not null,
    ended_at               timestamptz,
    last_modified_at       timestamptz   not null
);

create table mes.vision_rejects (
    reject_id        bigint       primary key,
    packing_id       varchar(24)  not null,
    camera_id        varchar(12)  not null,
    container_no     smallint     not null,
    defect_code      varchar(8)   not null,         -- LABEL label, CAP closure, LEVEL fill level, LEAK leak
    confidence_pct   numeric(5,2) not null,
    verdict          char(1)      not null,         -- C confirmed, F false alarm, O open
    detected_at      timestamptz  not null,
    last_modified_at timestamptz  not null
);

create table mes.process_documents (
    document_id            varchar(24) not null,
    version_no             smallint    not null,
    title                  varchar(80) not null,
    document_kind          varchar(8)  not null,    -- RECIPE, SOP, PACK
    material_definition_id varchar(18) not null,
    approved_by            varchar(8)  not null,
    effective_at           timestamptz not null,
    withdrawn_at           timestamptz,
    content_sha256         char(64)    not null,
    last_modified_at       timestamptz not null,
    primary key (document_id, version_no)
);

create table mes.document_acknowledgements (
    acknowledgement_id  bigint      primary key,
    document_id         varchar(24) not null,
    version_no          smallint    not null,
    production_order_id varchar(24) not null,
    terminal_id         varchar(12) not null,
    medium              char(1)     not null,       -- T terminal, P paper
    issued_at           timestamptz not null,
    acknowledged_at     timestamptz,
    operator_code       varchar(8),
    last_modified_at    timestamptz not null
);

create table mes.batch_signatures (
    signature_id     bigint      primary key,
    batch_id         varchar(24) not null,
    step_code        varchar(10) not null,          -- CHARGE, REACT, DISCHARGE, CLEAN, RECORD
    meaning          varchar(10) not null,          -- PERFORMED performed, CHECKED checked, RELEASED released
    signer_code      varchar(8)  not null,
    signed_at        timestamptz not null,
    last_modified_at timestamptz not null
);

create table mes.shift_handovers (
    handover_id      varchar(24)  primary key,
    area_id          varchar(16)  not null,
    shift_code       varchar(4)   not null,         -- N night, M morning, A afternoon
    from_crew        varchar(8)   not null,
    to_crew          varchar(8)   not null,
    from_leader      varchar(8)   not null,
    to_leader        varchar(8),
    started_at       timestamptz  not null,
    ended_at         timestamptz,
    open_items       smallint     not null,
    remarks          varchar(200),
    last_modified_at timestamptz  not null
);
