with

current_words as (

    {{ current_rows(source('erp_main', 'raw_erp_main__sales_order_lines'), [
        'sales_order_id',
        'line_number',
        'material_code',
        'quantity',
        'unit_code',
        'delivery_status_code',
        'rejection_code',
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
    {{ without_leading_zeros('current_words.sales_order_id') }} as sales_order_id,
    current_words.line_number,
    trim(current_words.delivery_status_code) as delivery_status_code,
    coalesce(trim(current_words.rejection_code), '') <> '' as is_rejected,
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
        {{ is_mapping_of('materials', 'erp_main', 'material', 'current_words', 'material_code') }}
left join code_mappings as units
    on
        {{ is_mapping_of('units', 'erp_main', 'unit', 'current_words', 'unit_code') }}
left join unit_conversions on units.standard_code = unit_conversions.from_unit
