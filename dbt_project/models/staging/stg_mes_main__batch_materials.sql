with

current_words as (

    {{ current_rows(source('mes_main', 'raw_mes_main__batch_materials'), [
        'consumption_id',
        'batch_id',
        'lot_id',
        'material_code',
        'quantity',
        'unit_code',
        'charged_at_utc',
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
    current_words.consumption_id,
    current_words.batch_id,
    current_words.lot_id,
    current_words.charged_at_utc,
    current_words.updated_at_utc,
    trim(current_words.material_code) as material_code,
    materials.standard_code as material_id,
    cast(current_words.quantity as double) as quantity,
    trim(current_words.unit_code) as unit_code,
    units.standard_code as unit_id,
    case
        when units.standard_code = 'kg' then cast(current_words.quantity as double)
        else cast(current_words.quantity as double) * unit_conversions.factor
    end as quantity_kg,
    current_words._first_extracted_at_utc,
    current_words._extracted_at_utc
from current_words
left join code_mappings as materials
    on
        {{ is_mapping_of('materials', 'mes_main', 'material', 'current_words', 'material_code') }}
left join code_mappings as units
    on
        {{ is_mapping_of('units', 'mes_main', 'unit', 'current_words', 'unit_code') }}
left join unit_conversions on units.standard_code = unit_conversions.from_unit
