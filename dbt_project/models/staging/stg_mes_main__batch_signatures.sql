with

current_words as (

    {{ current_rows(source('mes_main', 'raw_mes_main__batch_signatures'), [
        'signature_id',
        'batch_id',
        'step_code',
        'meaning_code',
        'signer_code',
        'signed_at_utc',
        'updated_at_utc'
    ]) }}

)

select
    current_words.signature_id,
    current_words.batch_id,
    current_words.step_code,
    current_words.meaning_code,
    trim(current_words.signer_code) as signer_code,
    current_words.signed_at_utc,
    current_words.updated_at_utc,
    current_words._first_extracted_at_utc,
    current_words._extracted_at_utc
from current_words
