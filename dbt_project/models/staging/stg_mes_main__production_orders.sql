with

current_words as (

    {{ current_rows(source('mes_main', 'raw_mes_main__production_orders'), [
        'production_order_id',
        'sales_order_id',
        'sales_order_line_number',
        'material_code',
        'planned_quantity',
        'unit_code',
        'status_code',
        'planned_start_at_utc',
        'planned_end_at_utc',
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
    current_words.production_order_id,
    {{ without_leading_zeros('current_words.sales_order_id') }} as sales_order_id,
    current_words.sales_order_line_number,
    current_words.status_code,
    current_words.planned_start_at_utc,
    current_words.planned_end_at_utc,
    current_words.updated_at_utc,
    trim(current_words.material_code) as material_code,
    materials.standard_code as material_id,
    cast(current_words.planned_quantity as double) as planned_quantity,
    trim(current_words.unit_code) as unit_code,
    units.standard_code as unit_id,
    case
        when units.standard_code = 'kg' then cast(current_words.planned_quantity as double)
        else cast(current_words.planned_quantity as double) * unit_conversions.factor
    end as planned_quantity_kg,
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
