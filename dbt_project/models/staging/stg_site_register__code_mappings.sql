with

current_words as (

    {{ current_rows(source('site_register', 'raw_site_register__code_mappings'), [
        'source_system', 'code_type', 'source_code', 'standard_code', 'valid_from_date', 'valid_to_date'
    ]) }}

)

select
    source_system,
    code_type,
    source_code,
    standard_code,
    valid_from_date,
    coalesce(valid_to_date, date '9999-12-31') as valid_to_date
from current_words
