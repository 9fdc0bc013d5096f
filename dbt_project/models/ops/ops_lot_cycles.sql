with

edges as (

    select * from {{ ref('int_production__lot_edges') }}

),

reach as (

    select * from {{ ref('int_production__lot_reach') }}

)

-- An edge lies in a cycle where its end leads back to its beginning.
select
    edges.parent_lot_id,
    edges.child_lot_id,
    edges.edge_type as edge_type_code,
    edges.reference_id
from edges
inner join reach
    on edges.child_lot_id = reach.ancestor_lot_id and edges.parent_lot_id = reach.descendant_lot_id
