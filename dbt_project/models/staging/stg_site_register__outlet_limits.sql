with

current_words as (

    {{ current_rows(source('site_register', 'raw_site_register__outlet_limits'), [
        'outlet_id', 'factor_code', 'averaging_code', 'limit_low', 'limit_value', 'unit_code', 'limit_basis_code', 'standard_no', 'standard_name_zh', 'standard_name_en', 'valid_from_date', 'valid_to_date'
    ]) }}

)

select
    outlet_id,
    factor_code,
    averaging_code,
    limit_low,
    limit_value,
    unit_code,
    limit_basis_code,
    standard_no,
    standard_name_zh,
    standard_name_en,
    valid_from_date,
    coalesce(valid_to_date, date '9999-12-31') as valid_to_date
from current_words
