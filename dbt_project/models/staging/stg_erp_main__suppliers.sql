with

current_words as (

    {{ current_rows(source('erp_main', 'raw_erp_main__suppliers'), [
        'supplier_id',
        'supplier_name',
        'city_name',
        'credit_code',
        'hazardous_permit_no',
        'block_code',
        'deletion_mark_code',
        'created_date',
        'updated_at_utc'
    ]) }}

)

select
    {{ without_leading_zeros('current_words.supplier_id') }} as supplier_id,
    current_words.supplier_name,
    current_words.city_name,
    current_words.credit_code,
    current_words.hazardous_permit_no,
    coalesce(trim(current_words.block_code) = 'X', false) as is_blocked,
    coalesce(trim(current_words.deletion_mark_code) = 'X', false) as is_deleted,
    current_words.updated_at_utc,
    current_words._first_extracted_at_utc,
    current_words._extracted_at_utc
from current_words
