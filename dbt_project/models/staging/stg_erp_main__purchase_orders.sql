with

current_words as (

    {{ current_rows(source('erp_main', 'raw_erp_main__purchase_orders'), [
        'purchase_order_id',
        'supplier_id',
        'order_date',
        'release_code',
        'payment_terms',
        'currency_code',
        'deletion_mark_code',
        'updated_at_utc'
    ]) }}

)

select
    trim(current_words.purchase_order_id) as purchase_order_id,
    {{ without_leading_zeros('current_words.supplier_id') }} as supplier_id,
    current_words.order_date,
    trim(current_words.release_code) as release_code,
    current_words.payment_terms,
    trim(current_words.currency_code) as currency_code,
    coalesce(trim(current_words.deletion_mark_code) = 'L', false) as is_deleted,
    current_words.updated_at_utc,
    current_words._first_extracted_at_utc,
    current_words._extracted_at_utc
from current_words
