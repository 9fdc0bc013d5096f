with recursive

edges as (

    select distinct
        parent_lot_id,
        child_lot_id
    from {{ ref('int_production__lot_edges') }}

),

-- A lot that would come back to itself ends its path there; the test on the edges names such lots.
paths as (

    select
        parent_lot_id as ancestor_lot_id,
        child_lot_id as descendant_lot_id,
        1 as depth,
        '>' || parent_lot_id || '>' || child_lot_id || '>' as lot_path
    from edges
    where parent_lot_id <> child_lot_id
    union all
    select
        paths.ancestor_lot_id,
        edges.child_lot_id as descendant_lot_id,
        paths.depth + 1 as depth,
        paths.lot_path || edges.child_lot_id || '>' as lot_path
    from paths
    inner join edges on paths.descendant_lot_id = edges.parent_lot_id
    where paths.lot_path not like '%>' || edges.child_lot_id || '>%'

),

ranked as (

    select
        *,
        count(*) over (partition by ancestor_lot_id, descendant_lot_id) as path_count,
        row_number() over (
            partition by ancestor_lot_id, descendant_lot_id order by depth, lot_path
        ) as path_rank
    from paths

)

select
    ancestor_lot_id,
    descendant_lot_id,
    depth,
    lot_path,
    cast(path_count as integer) as path_count
from ranked
where path_rank = 1
