with

batches as (

    select * from {{ ref('stg_mes_main__batches') }}

),

signatures as (

    select
        batch_id,
        count(*) as signature_count,
        max(case when step_code = 'CHARGE' and meaning_code = 'CHECKED' then 1 else 0 end) as charge_checked_count,
        max(
            case when step_code = 'DISCHARGE' and meaning_code = 'CHECKED' then 1 else 0 end
        ) as discharge_checked_count,
        min(case when meaning_code = 'RELEASED' then signed_at_utc end) as released_at_utc
    from {{ ref('stg_mes_main__batch_signatures') }}
    group by batch_id

),

phases as (

    select
        batch_id,
        count(*) as phase_count,
        sum(case when ended_at_utc is null then 1 else 0 end) as open_phase_count
    from {{ ref('stg_mes_main__batch_phases') }}
    group by batch_id

),

parameters as (

    select
        phases.batch_id,
        count(*) as parameter_count,
        sum(
            case
                when
                    found.parameter_value < found.lower_limit_value
                    or found.parameter_value > found.upper_limit_value
                    then 1
                else 0
            end
        ) as deviating_parameter_count
    from {{ ref('stg_mes_main__phase_parameters') }} as found
    inner join {{ ref('stg_mes_main__batch_phases') }} as phases on found.phase_id = phases.phase_id
    group by phases.batch_id

),

documents as (

    select
        production_order_id,
        count(*) as issued_document_count,
        sum(case when acknowledged_at_utc is null then 1 else 0 end) as unacknowledged_document_count,
        sum(case when medium_code = 'P' then 1 else 0 end) as paper_document_count
    from {{ ref('stg_mes_main__document_acknowledgements') }}
    group by production_order_id

)

select
    batches.batch_id,
    batches.production_order_id,
    batches.started_at_utc,
    batches.ended_at_utc,
    signatures.released_at_utc,
    coalesce(signatures.signature_count, 0) as signature_count,
    cast(
        2 - coalesce(signatures.charge_checked_count, 0) - coalesce(signatures.discharge_checked_count, 0) as bigint
    ) as missing_check_count,
    coalesce(phases.phase_count, 0) as phase_count,
    cast(coalesce(phases.open_phase_count, 0) as bigint) as open_phase_count,
    coalesce(parameters.parameter_count, 0) as parameter_count,
    cast(coalesce(parameters.deviating_parameter_count, 0) as bigint) as deviating_parameter_count,
    coalesce(documents.issued_document_count, 0) as issued_document_count,
    cast(coalesce(documents.unacknowledged_document_count, 0) as bigint) as unacknowledged_document_count,
    cast(coalesce(documents.paper_document_count, 0) as bigint) as paper_document_count,
    case
        when batches.ended_at_utc is null then 'running'
        when
            signatures.released_at_utc is null
            or coalesce(signatures.charge_checked_count, 0) + coalesce(signatures.discharge_checked_count, 0) < 2
            or coalesce(documents.unacknowledged_document_count, 0) > 0
            or coalesce(phases.open_phase_count, 0) > 0
            then 'incomplete'
        else 'complete'
    end as record_code
from batches
left join signatures on batches.batch_id = signatures.batch_id
left join phases on batches.batch_id = phases.batch_id
left join parameters on batches.batch_id = parameters.batch_id
left join documents on batches.production_order_id = documents.production_order_id
