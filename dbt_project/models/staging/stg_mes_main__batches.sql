with

current_words as (

    {{ current_rows(source('mes_main', 'raw_mes_main__batches'), [
        'batch_id',
        'production_order_id',
        'equipment_id',
        'status_code',
        'started_at_utc',
        'ended_at_utc',
        'actual_quantity',
        'unit_code',
        'updated_at_utc'
    ]) }}

),

code_mappings as (

    select * from {{ ref('stg_site_register__code_mappings') }}

),

unit_conversions as (

    select * from {{ ref('unit_conversions') }}
    where to_unit = 'kg'

)

select
    current_words.batch_id,
    current_words.production_order_id,
    current_words.equipment_id,
    current_words.status_code,
    current_words.started_at_utc,
    current_words.ended_at_utc,
    current_words.updated_at_utc,
    cast(current_words.actual_quantity as double) as actual_quantity,
    trim(current_words.unit_code) as unit_code,
    units.standard_code as unit_id,
    case
        when units.standard_code = 'kg' then cast(current_words.actual_quantity as double)
        else cast(current_words.actual_quantity as double) * unit_conversions.factor
    end as actual_quantity_kg,
    current_words._first_extracted_at_utc,
    current_words._extracted_at_utc
from current_words
left join code_mappings as units
    on
        {{ is_mapping_of('units', 'mes_main', 'unit', 'current_words', 'unit_code') }}
left join unit_conversions on units.standard_code = unit_conversions.from_unit
