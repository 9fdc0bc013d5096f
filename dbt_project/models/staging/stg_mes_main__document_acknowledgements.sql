with

current_words as (

    {{ current_rows(source('mes_main', 'raw_mes_main__document_acknowledgements'), [
        'acknowledgement_id',
        'document_id',
        'version_number',
        'production_order_id',
        'terminal_id',
        'medium_code',
        'issued_at_utc',
        'acknowledged_at_utc',
        'operator_code',
        'updated_at_utc'
    ]) }}

)

select
    current_words.acknowledgement_id,
    current_words.document_id,
    current_words.version_number,
    current_words.production_order_id,
    current_words.terminal_id,
    trim(current_words.medium_code) as medium_code,
    current_words.issued_at_utc,
    current_words.acknowledged_at_utc,
    trim(current_words.operator_code) as operator_code,
    current_words.updated_at_utc,
    current_words._first_extracted_at_utc,
    current_words._extracted_at_utc
from current_words
