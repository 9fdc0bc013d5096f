with

current_words as (

    {{ current_rows(source('lims_main', 'raw_lims_main__samples'), [
        'sample_id',
        'sample_type_code',
        'lot_id',
        'batch_id',
        'material_code',
        'sampling_point_id',
        'barcode',
        'requested_at_utc',
        'requested_by_code',
        'status_code',
        'updated_at_utc'
    ]) }}

)

select
    current_words.sample_id,
    current_words.sample_type_code,
    current_words.lot_id,
    current_words.batch_id,
    current_words.sampling_point_id,
    current_words.barcode,
    current_words.requested_at_utc,
    trim(current_words.requested_by_code) as requested_by_code,
    current_words.status_code,
    current_words.updated_at_utc,
    {{ material_columns('current_words') }},
    current_words._first_extracted_at_utc,
    current_words._extracted_at_utc
from current_words
{{ joined_materials('current_words', 'lims_main', ref('stg_site_register__code_mappings')) }}
