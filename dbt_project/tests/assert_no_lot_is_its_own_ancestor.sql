-- A cycle in the genealogy is an error of booking: which lots, through which document.
with recursive

reached as (

    select
        parent_lot_id,
        child_lot_id
    from {{ ref('int_production__lot_edges') }}
    union
    select
        reached.parent_lot_id,
        edges.child_lot_id
    from reached
    inner join {{ ref('int_production__lot_edges') }} as edges on reached.child_lot_id = edges.parent_lot_id

)

select
    edges.parent_lot_id,
    edges.child_lot_id,
    edges.edge_type,
    edges.reference_id
from {{ ref('int_production__lot_edges') }} as edges
inner join reached on edges.parent_lot_id = reached.parent_lot_id and reached.parent_lot_id = reached.child_lot_id
