with

batches as (

    select * from {{ ref('stg_mes_main__batches') }}

),

charged as (

    select
        batch_id,
        {{ exact_sum('quantity_kg') }} as input_kg,
        sum(case when quantity_kg is null then 1 else 0 end) as unweighed_count
    from {{ ref('stg_mes_main__batch_materials') }}
    group by batch_id

),

produced as (

    select
        batch_id,
        {{ exact_sum("case when output_type = 'PRODUCT' then quantity_kg end") }} as product_kg,
        {{ exact_sum("case when output_type <> 'PRODUCT' then quantity_kg end") }} as waste_kg,
        sum(case when quantity_kg is null then 1 else 0 end) as unweighed_count
    from {{ ref('stg_mes_main__batch_outputs') }}
    group by batch_id

),

balances as (

    select
        batches.batch_id,
        batches.production_order_id,
        batches.ended_at_utc,
        charged.input_kg,
        produced.product_kg,
        coalesce(produced.waste_kg, 0) as waste_kg,
        charged.input_kg - coalesce(produced.product_kg, 0) - coalesce(produced.waste_kg, 0) as missing_kg,
        cast(coalesce(charged.unweighed_count, 0) + coalesce(produced.unweighed_count, 0) as bigint) as unweighed_count,
        {{ stated_tolerance_pct('raw_mes_main__batch_outputs') }} as tolerance_pct
    from batches
    left join charged on batches.batch_id = charged.batch_id
    left join produced on batches.batch_id = produced.batch_id

)

select
    batch_id,
    production_order_id,
    ended_at_utc,
    input_kg,
    product_kg,
    waste_kg,
    missing_kg,
    100.0 * missing_kg / nullif(input_kg, 0) as missing_pct,
    100.0 * product_kg / nullif(input_kg, 0) as yield_pct,
    cast(tolerance_pct as double) as tolerance_pct,
    unweighed_count,
    case
        when ended_at_utc is null then 'running'
        when unweighed_count > 0 or product_kg is null or coalesce(input_kg, 0) = 0 then 'not_comparable'
        when abs(100.0 * missing_kg / input_kg) > tolerance_pct then 'open'
        else 'closed'
    end as balance_code
from balances
