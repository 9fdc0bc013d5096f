with

batch_materials as (

    select * from {{ ref('stg_mes_main__batch_materials') }}

),

batch_outputs as (

    select * from {{ ref('stg_mes_main__batch_outputs') }}

),

stock_movements as (

    select * from {{ ref('stg_wms_main__stock_movements') }}

),

through_batches as (

    select distinct
        batch_materials.lot_id as parent_lot_id,
        batch_outputs.lot_id as child_lot_id,
        'batch' as edge_type,
        batch_materials.batch_id as reference_id
    from batch_materials
    inner join batch_outputs on batch_materials.batch_id = batch_outputs.batch_id

),

-- What the store splits or blends; a batch's own movements (131, 261) repeat what the MES says better.
through_transfers as (

    select distinct
        lot_id as parent_lot_id,
        destination_lot_id as child_lot_id,
        'transfer' as edge_type,
        reference_id
    from stock_movements
    where movement_type_code = '309' and destination_lot_id is not null

)

select * from through_batches
union all
select * from through_transfers
