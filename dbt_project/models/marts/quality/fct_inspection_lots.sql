with

samples as (

    select * from {{ ref('stg_lims_main__samples') }}

),

steps as (

    select
        sample_id,
        min(case when step_code = 'SAMPLE' then done_at_utc end) as sampled_at_utc,
        max(case when step_code = 'TEST' then done_at_utc end) as tested_at_utc,
        max(case when step_code = 'REVIEW' then done_at_utc end) as reviewed_at_utc,
        max(case when step_code in ('RELEASE', 'REJECT') then done_at_utc end) as decided_at_utc,
        sum(case when scan_code in ('missing', 'wrong') then 1 else 0 end) as unscanned_step_count
    from {{ ref('fct_sample_steps') }}
    group by sample_id

),

results as (

    select
        sample_id,
        sum(case when judgement_code <> 'superseded' then 1 else 0 end) as result_count,
        sum(case when judgement_code = 'out_of_limits' then 1 else 0 end) as out_of_limits_count,
        sum(case when judgement_code = 'not_judged' then 1 else 0 end) as not_judged_count
    from {{ ref('fct_inspection_results') }}
    group by sample_id

),

nonconformities as (

    select
        sample_id,
        count(*) as nonconformity_count,
        sum(case when closed_at_utc is null then 1 else 0 end) as open_nonconformity_count
    from {{ ref('stg_qms_main__nonconformities') }}
    where sample_id is not null
    group by sample_id

),

batches as (

    select
        batch_id,
        production_order_id
    from {{ ref('stg_mes_main__batches') }}

)

select
    -- ids
    samples.sample_id,
    samples.sample_type_code,
    samples.lot_id,
    samples.batch_id,
    batches.production_order_id,
    samples.material_id,
    samples.material_code,
    samples.status_code,

    -- times
    samples.requested_at_utc,
    steps.sampled_at_utc,
    steps.tested_at_utc,
    steps.reviewed_at_utc,
    steps.decided_at_utc,
    {{ seconds_between('samples.requested_at_utc', 'steps.decided_at_utc') }} / 3600.0 as request_to_decision_h,

    -- counts
    cast(coalesce(steps.unscanned_step_count, 0) as bigint) as unscanned_step_count,
    cast(coalesce(results.result_count, 0) as bigint) as result_count,
    cast(coalesce(results.out_of_limits_count, 0) as bigint) as out_of_limits_count,
    cast(coalesce(results.not_judged_count, 0) as bigint) as not_judged_count,
    coalesce(nonconformities.nonconformity_count, 0) as nonconformity_count,
    cast(coalesce(nonconformities.open_nonconformity_count, 0) as bigint) as open_nonconformity_count,
    case
        when coalesce(results.result_count, 0) = 0 then 'no_result'
        when results.out_of_limits_count > 0 then 'out_of_limits'
        when results.not_judged_count > 0 then 'not_judged'
        else 'in_limits'
    end as judgement_code
from samples
left join steps on samples.sample_id = steps.sample_id
left join results on samples.sample_id = results.sample_id
left join nonconformities on samples.sample_id = nonconformities.sample_id
left join batches on samples.batch_id = batches.batch_id
