with

current_words as (

    {{ current_rows(source('erp_main', 'raw_erp_main__purchase_invoices'), [
        'purchase_invoice_id',
        'purchase_order_id',
        'purchase_order_line_number',
        'supplier_id',
        'supplier_invoice_no',
        'invoice_date',
        'posting_date',
        'quantity',
        'unit_code',
        'net_value',
        'tax_value',
        'currency_code',
        'block_code',
        'paid_date',
        'reversed_by_id',
        'updated_at_utc'
    ]) }}

)

select
    trim(current_words.purchase_invoice_id) as purchase_invoice_id,
    trim(current_words.purchase_order_id) as purchase_order_id,
    current_words.purchase_order_line_number,
    {{ without_leading_zeros('current_words.supplier_id') }} as supplier_id,
    current_words.supplier_invoice_no,
    current_words.invoice_date,
    current_words.posting_date,
    cast(current_words.net_value as double) as net_value,
    cast(current_words.tax_value as double) as tax_value,
    trim(current_words.currency_code) as currency_code,
    coalesce(trim(current_words.block_code) = 'R', false) as is_blocked,
    current_words.paid_date,
    nullif(trim(current_words.reversed_by_id), '') as reversed_by_id,
    current_words.updated_at_utc,
    {{ quantity_columns('current_words', 'quantity') }},
    current_words._first_extracted_at_utc,
    current_words._extracted_at_utc
from current_words
{{ joined_units('current_words', 'erp_main', ref('stg_site_register__code_mappings'), ref('unit_conversions')) }}
