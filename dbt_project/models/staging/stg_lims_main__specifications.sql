with

current_words as (

    {{ current_rows(source('lims_main', 'raw_lims_main__specifications'), [
        'specification_id',
        'material_code',
        'sample_type_code',
        'parameter_code',
        'parameter_name_zh',
        'lower_limit_value',
        'upper_limit_value',
        'limit_unit_code',
        'valid_from_date',
        'valid_to_date'
    ]) }}

)

select
    current_words.specification_id,
    current_words.sample_type_code,
    current_words.parameter_code,
    current_words.parameter_name_zh,
    cast(current_words.lower_limit_value as double) as lower_limit_value,
    cast(current_words.upper_limit_value as double) as upper_limit_value,
    trim(current_words.limit_unit_code) as limit_unit_code,
    current_words.valid_from_date,
    current_words.valid_to_date,
    {{ material_columns('current_words') }},
    current_words._first_extracted_at_utc,
    current_words._extracted_at_utc
from current_words
{{ joined_materials('current_words', 'lims_main', ref('stg_site_register__code_mappings')) }}
