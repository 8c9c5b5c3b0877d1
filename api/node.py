import strawberry


@strawberry.interface(description="Something with an id that nothing else has.")
class Node:
    id: strawberry.ID
