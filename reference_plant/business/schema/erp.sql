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

create table erp.purchase_orders (
    ebeln char(10)     primary key,
    lifnr char(10)     not null references erp.suppliers,
    bedat char(8)      not null,                    -- order date
    frgke char(1)      not null,                    -- B in approval, G released
    zterm varchar(4)   not null,                    -- Z001, Z030: days to pay
    waers char(5)      not null,
    loekz char(1)      not null default ' ',        -- 'L' marked for deletion
    aedat timestamp(0) not null
);

create table erp.purchase_order_lines (
    ebeln char(10)      not null references erp.purchase_orders,
    ebelp char(5)       not null,                   -- 00010, 00020, …
    matnr char(18)      not null references erp.materials,
    menge numeric(15,3) not null,
    meins char(3)       not null,
    netpr numeric(13,2) not null,                   -- net price of `peinh` units
    peinh integer       not null,                   -- 1 or 1000
    waers char(5)       not null,
    eindt char(8)       not null,                   -- delivery asked for
    elikz char(1)       not null default ' ',       -- 'X' nothing more is expected
    loekz char(1)       not null default ' ',
    aedat timestamp(0)  not null,
    primary key (ebeln, ebelp)
);

create table erp.purchase_receipts (
    mblnr char(10)      not null,
    zeile char(4)       not null,
    bwart char(3)       not null,                   -- 101 receipt, 102 its reversal
    ebeln char(10)      not null,
    ebelp char(5)       not null,
    matnr char(18)      not null,
    charg varchar(32)   not null,                   -- lot
    menge numeric(15,3) not null,                   -- always positive
    meins char(3)       not null,
    lfbnr varchar(20),                              -- delivery note
    smbln char(10),                                 -- 102 only: the document it takes back
    budat char(8)       not null,
    aedat timestamp(0)  not null,
    primary key (mblnr, zeile)
);

create table erp.purchase_invoices (
    belnr char(10)      primary key,
    ebeln char(10)      not null,                   -- typed in from the supplier's paper, checked by nobody
    ebelp char(5)       not null,
    lifnr char(10)      not null,
    xblnr varchar(32)   not null,                   -- the supplier's own number
    bldat char(8)       not null,
    budat char(8)       not null,
    menge numeric(15,3) not null,
    meins char(3)       not null,
    wrbtr numeric(15,2) not null,                   -- without tax
    wmwst numeric(15,2) not null,
    waers char(5)       not null,
    zlspr char(1)       not null default ' ',       -- 'R' not to be paid: price or quantity differs
    augdt char(8)       not null default '        ',
    stblg char(10)      not null default '          ',
    aedat timestamp(0)  not null
);
