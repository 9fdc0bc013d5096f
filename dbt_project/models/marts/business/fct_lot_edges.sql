with

lot_edges as (

    select * from {{ ref('int_production__lot_edges') }}

)

select
    parent_lot_id,
    child_lot_id,
    edge_type as edge_type_code,
    reference_id
from lot_edges
