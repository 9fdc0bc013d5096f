with

current_words as (

    {{ current_rows(source('erp_main', 'raw_erp_main__customers'), [
        'customer_id',
        'customer_name',
        'city_name',
        'credit_code',
        'deletion_mark_code',
        'created_date',
        'updated_at_utc'
    ]) }}

)

select
    {{ without_leading_zeros('current_words.customer_id') }} as customer_id,
    current_words.customer_name,
    current_words.city_name,
    current_words.credit_code,
    coalesce(trim(current_words.deletion_mark_code) = 'X', false) as is_deleted,
    current_words.created_date,
    current_words.updated_at_utc,
    current_words._first_extracted_at_utc,
    current_words._extracted_at_utc
from current_words
