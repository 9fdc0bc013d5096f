with

current_words as (

    {{ current_rows(source('erp_main', 'raw_erp_main__sales_orders'), [
        'sales_order_id',
        'customer_id',
        'order_date',
        'requested_date',
        'status_code',
        'net_value',
        'currency_code',
        'deletion_mark_code',
        'updated_at_utc'
    ]) }}

)

select
    {{ without_leading_zeros('current_words.sales_order_id') }} as sales_order_id,
    {{ without_leading_zeros('current_words.customer_id') }} as customer_id,
    current_words.order_date,
    current_words.requested_date,
    trim(current_words.status_code) as status_code,
    current_words.net_value,
    trim(current_words.currency_code) as currency_code,
    coalesce(trim(current_words.deletion_mark_code) = 'X', false) as is_deleted,
    current_words.updated_at_utc,
    current_words._first_extracted_at_utc,
    current_words._extracted_at_utc
from current_words
