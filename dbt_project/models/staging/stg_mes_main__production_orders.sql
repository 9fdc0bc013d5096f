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

)

select
    current_words.production_order_id,
    {{ without_leading_zeros('current_words.sales_order_id') }} as sales_order_id,
    current_words.sales_order_line_number,
    current_words.status_code,
    current_words.planned_start_at_utc,
    current_words.planned_end_at_utc,
    current_words.updated_at_utc,
    {{ material_columns('current_words') }},
    {{ quantity_columns('current_words', 'planned_quantity') }},
    current_words._first_extracted_at_utc,
    current_words._extracted_at_utc
from current_words
{{ joined_materials('current_words', 'mes_main', ref('stg_site_register__code_mappings')) }}
{{ joined_units('current_words', 'mes_main', ref('stg_site_register__code_mappings'), ref('unit_conversions')) }}
