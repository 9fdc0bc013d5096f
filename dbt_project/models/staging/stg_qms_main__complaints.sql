with

current_words as (

    {{ current_rows(source('qms_main', 'raw_qms_main__complaints'), [
        'complaint_id',
        'customer_id',
        'sales_order_id',
        'shipment_id',
        'lot_id',
        'complaint_type',
        'description_zh',
        'claimed_quantity',
        'unit_code',
        'received_at_utc',
        'answered_at_utc',
        'closed_at_utc',
        'verdict_code',
        'nonconformity_id',
        'updated_at_utc'
    ]) }}

)

select
    current_words.complaint_id,
    current_words.customer_id,
    current_words.sales_order_id,
    current_words.shipment_id,
    current_words.lot_id,
    current_words.complaint_type,
    current_words.description_zh,
    current_words.received_at_utc,
    current_words.answered_at_utc,
    current_words.closed_at_utc,
    current_words.verdict_code,
    current_words.nonconformity_id,
    current_words.updated_at_utc,
    {{ quantity_columns('current_words', 'claimed_quantity') }},
    current_words._first_extracted_at_utc,
    current_words._extracted_at_utc
from current_words
{{ joined_units('current_words', 'qms_main', ref('stg_site_register__code_mappings'), ref('unit_conversions')) }}
