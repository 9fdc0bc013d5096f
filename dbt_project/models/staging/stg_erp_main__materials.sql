with

current_words as (

    {{ current_rows(source('erp_main', 'raw_erp_main__materials'), [
        'material_code',
        'material_name',
        'material_type_code',
        'base_unit_code',
        'cas_number',
        'hazard_mark_code',
        'deletion_mark_code',
        'updated_at_utc'
    ]) }}

)

select
    current_words.material_name,
    trim(current_words.material_type_code) as material_type_code,
    trim(current_words.base_unit_code) as base_unit_code,
    current_words.cas_number,
    coalesce(trim(current_words.hazard_mark_code) = 'X', false) as is_hazardous,
    coalesce(trim(current_words.deletion_mark_code) = 'X', false) as is_deleted,
    current_words.updated_at_utc,
    {{ material_columns('current_words') }},
    current_words._first_extracted_at_utc,
    current_words._extracted_at_utc
from current_words
{{ joined_materials('current_words', 'erp_main', ref('stg_site_register__code_mappings')) }}
