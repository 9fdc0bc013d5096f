with

current_words as (

    {{ current_rows(source('wms_main', 'raw_wms_main__shipments'), [
        'shipment_id',
        'sales_order_id',
        'customer_id',
        'status_code',
        'planned_date',
        'shipped_at_utc',
        'updated_at_utc'
    ]) }}

)

select
    current_words.shipment_id,
    {{ without_leading_zeros('current_words.sales_order_id') }} as sales_order_id,
    {{ without_leading_zeros('current_words.customer_id') }} as customer_id,
    current_words.status_code,
    current_words.planned_date,
    current_words.shipped_at_utc,
    current_words.updated_at_utc,
    current_words._first_extracted_at_utc,
    current_words._extracted_at_utc
from current_words
