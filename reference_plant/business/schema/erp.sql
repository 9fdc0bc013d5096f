-- ERP, grown from a German product and localised: codes padded with zeros, CHAR columns with trailing blanks,
-- pinyin for what was added here. Dates are text yyyymmdd; aedat is the last change, plant local time without
-- a zone. Nothing is ever deleted: loevm = 'X' marks what is gone.
create schema erp;

create table erp.customers (
    kunnr    char(10)     primary key,              -- customer, leading zeros
    name1    varchar(80)  not null,
    ort01    varchar(40)  not null,                 -- city
    tyshxydm char(18)     not null,                 -- unified social credit code
    loevm    char(1)      not null default ' ',     -- 'X' marked for deletion
    erdat    char(8)      not null,                 -- created, yyyymmdd
    aedat    timestamp(0) not null                  -- last change, plant local
);

create table erp.suppliers (
    lifnr    char(10)     primary key,
    name1    varchar(80)  not null,
    ort01    varchar(40)  not null,
    tyshxydm char(18)     not null,
    xkzh     varchar(40),                           -- hazardous-chemical permit number
    sperr    char(1)      not null default ' ',     -- 'X' blocked
    loevm    char(1)      not null default ' ',
    erdat    char(8)      not null,
    aedat    timestamp(0) not null
);

create table erp.materials (
    matnr char(18)     primary key,                 -- leading zeros
    maktx varchar(80)  not null,
    mtart char(4)      not null,                    -- ROH raw, HIBE supply, FERT finished, ABF waste
    meins char(3)      not null,                    -- base unit: 'KG ', 'TO ', 'L  '
    casnr varchar(12),
    whpbz char(1)      not null default ' ',        -- 'X' hazardous chemical
    loevm char(1)      not null default ' ',
    erdat char(8)      not null,
    aedat timestamp(0) not null
);

create table erp.sales_orders (
    vbeln char(10)      primary key,
    kunnr char(10)      not null references erp.customers,
    audat char(8)       not null,                   -- order date
    vdatu char(8)       not null,                   -- delivery asked for
    gbstk char(1)       not null,                   -- A open, B in part, C done
    netwr numeric(15,2) not null,
    waerk char(5)       not null,                   -- 'CNY  '
    loevm char(1)       not null default ' ',
    aedat timestamp(0)  not null
);

create table erp.sales_order_lines (
    vbeln  char(10)      not null references erp.sales_orders,
    posnr  char(6)       not null,                  -- 000010, 000020, …
    matnr  char(18)      not null references erp.materials,
    kwmeng numeric(15,3) not null,
    vrkme  char(3)       not null,                  -- sales unit: 'KG ', 'TO '
    lfsta  char(1)       not null,                  -- A open, B in part, C delivered
    abgru  char(2)       not null default '  ',     -- reason of refusal; '00' cancelled by the customer
    aedat  timestamp(0)  not null,
    primary key (vbeln, posnr)
);
