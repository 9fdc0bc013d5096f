with

current_words as (

    {{ current_rows(source('mes_main', 'raw_mes_main__process_documents'), [
        'document_id',
        'version_number',
        'title_zh',
        'document_type',
        'material_code',
        'approved_by_code',
        'effective_at_utc',
        'withdrawn_at_utc',
        'content_sha256',
        'updated_at_utc'
    ]) }}

)

select
    current_words.document_id,
    current_words.version_number,
    current_words.title_zh,
    current_words.document_type,
    trim(current_words.approved_by_code) as approved_by_code,
    current_words.effective_at_utc,
    current_words.withdrawn_at_utc,
    trim(current_words.content_sha256) as content_sha256,
    current_words.updated_at_utc,
    {{ material_columns('current_words') }},
    current_words._first_extracted_at_utc,
    current_words._extracted_at_utc
from current_words
{{ joined_materials('current_words', 'mes_main', ref('stg_site_register__code_mappings')) }}
