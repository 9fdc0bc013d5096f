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

)

select
    current_words.batch_id,
    current_words.production_order_id,
    current_words.equipment_id,
    current_words.status_code,
    current_words.started_at_utc,
    current_words.ended_at_utc,
    current_words.updated_at_utc,
    {{ quantity_columns('current_words', 'actual_quantity') }},
    current_words._first_extracted_at_utc,
    current_words._extracted_at_utc
from current_words
{{ joined_units('current_words', 'mes_main', ref('stg_site_register__code_mappings'), ref('unit_conversions')) }}
