with

current_words as (

    {{ current_rows(source('qms_main', 'raw_qms_main__nonconformities'), [
        'nonconformity_id',
        'source_code',
        'sample_id',
        'lot_id',
        'batch_id',
        'material_code',
        'parameter_code',
        'severity_code',
        'description_zh',
        'cause_code',
        'disposition_code',
        'responsible_code',
        'opened_at_utc',
        'closed_at_utc',
        'updated_at_utc'
    ]) }}

)

select
    current_words.nonconformity_id,
    current_words.source_code,
    current_words.sample_id,
    current_words.lot_id,
    current_words.batch_id,
    current_words.parameter_code,
    current_words.severity_code,
    current_words.description_zh,
    trim(current_words.cause_code) as cause_code,
    current_words.disposition_code,
    trim(current_words.responsible_code) as responsible_code,
    current_words.opened_at_utc,
    current_words.closed_at_utc,
    current_words.updated_at_utc,
    {{ material_columns('current_words') }},
    current_words._first_extracted_at_utc,
    current_words._extracted_at_utc
from current_words
{{ joined_materials('current_words', 'qms_main', ref('stg_site_register__code_mappings')) }}
