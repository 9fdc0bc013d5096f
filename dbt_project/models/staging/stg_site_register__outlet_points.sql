with

current_words as (

    {{ current_rows(source('site_register', 'raw_site_register__outlet_points'), [
        'outlet_id', 'factor_code', 'system_id', 'tag_id', 'moisture_basis_code', 'condition_basis_code', 'valid_from_date', 'valid_to_date'
    ]) }}

)

select
    outlet_id,
    factor_code,
    system_id,
    tag_id,
    moisture_basis_code,
    condition_basis_code,
    valid_from_date,
    coalesce(valid_to_date, date '9999-12-31') as valid_to_date
from current_words
