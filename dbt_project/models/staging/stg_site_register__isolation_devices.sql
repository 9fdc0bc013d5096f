with

current_words as (

    {{ current_rows(source('site_register', 'raw_site_register__isolation_devices'), [
        'device_id', 'certificate_no', 'certificate_kind_code', 'issuing_authority_zh', 'model_name', 'link_id', 'place_zh', 'certificate_from_date', 'certificate_to_date'
    ]) }}

)

select
    device_id,
    certificate_no,
    certificate_kind_code,
    issuing_authority_zh,
    model_name,
    link_id,
    place_zh,
    certificate_from_date,
    certificate_to_date
from current_words
