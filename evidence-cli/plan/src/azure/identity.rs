//! Role definitions and assignments, and identities that others run as.

use serde_json::{Value, json};

use super::{Place, Translated, ids, last, put, within};
use crate::block::{Block, NotKnown, Read};
use crate::world::{World, object};

pub(super) const DEFINITIONS: &str = "Microsoft.Authorization/roleDefinitions/read";
const ASSIGNMENTS: &str = "Microsoft.Authorization/roleAssignments/read";
const IDENTITIES: &str = "Microsoft.ManagedIdentity/userAssignedIdentities/read";

pub(super) fn translate(block: &Block<'_, '_>, place: &Place, world: &mut World) -> Translated {
    match block.resource.kind {
        "azurerm_role_definition" => within(DEFINITIONS, definition(block, place, world)),
        "azurerm_role_assignment" => within(ASSIGNMENTS, assignment(block, place, world)),
        _ => within(IDENTITIES, user_assigned(block, place, world)),
    }
}

fn definition(block: &Block<'_, '_>, place: &Place, world: &mut World) -> Read<()> {
    let id = ids::id(block)?;
    let name = block.required("name")?;
    let mut permissions = Vec::new();
    for lists in block.blocks("permissions")? {
        permissions.push(json!({
            "actions": lists.words("actions")?,
            "notActions": lists.words("not_actions")?,
            "dataActions": lists.words("data_actions")?,
            "notDataActions": lists.words("not_data_actions")?,
        }));
    }
    world.surroundings.roles.insert(name.to_lowercase(), id.clone());
    let value = json!({"id": id, "name": last(&id), "properties": {
        "roleName": name, "type": "CustomRole", "permissions": permissions}});
    put(world, place.list(DEFINITIONS), &id, value);
    Ok(())
}

fn assignment(block: &Block<'_, '_>, place: &Place, world: &mut World) -> Read<()> {
    // A scope that is put together of a new resource's id and more is taken as that resource: more, never less.
    let scope = block.required("scope")?;
    let (definition, missing) = role(block, world)?;
    let id = block.word("id").ok().flatten().map_or_else(
        || format!("{scope}/providers/Microsoft.Authorization/roleAssignments/{}", ids::symbol_in_id(block)),
        str::to_owned,
    );
    let principal = block.identifier("principal_id").ok_or_else(|| NotKnown("principal_id".to_owned()))?;
    let value = json!({"id": id, "name": last(&id), "properties": object(json!({
        "scope": scope,
        "principalId": principal,
        "principalType": block.word("principal_type").unwrap_or(None),
        "roleDefinitionId": definition,
        "condition": block.word("condition")?,
    }))});
    // What is assigned in another subscription is listed there.
    let place = match scope.to_lowercase().strip_prefix("/subscriptions/") {
        Some(rest) => Place { subscription: rest.split('/').next().unwrap_or_default().to_owned() },
        None => place.clone(),
    };
    put(world, place.list(ASSIGNMENTS), &id, value);
    missing.map_or(Ok(()), Err)
}

/// The role's definition, by id or by a name that the plan or the scan shows; what is missing where neither does, and
/// then the name stands for it.
fn role(block: &Block<'_, '_>, world: &World) -> Read<(String, Option<NotKnown>)> {
    match block.resolved("role_definition_id") {
        // The provider's own id of a definition has the scope behind a bar.
        Ok(Some(id)) => return Ok((id.split('|').next().unwrap_or(&id).to_owned(), None)),
        Err(missing) if block.resource.sets("role_definition_id") => return Err(missing),
        Ok(None) | Err(_) => {}
    }
    let name = block.fixed("role_definition_name")?;
    Ok(match world.surroundings.roles.get(&name.to_lowercase()) {
        Some(id) => (id.clone(), None),
        None => (name, Some(NotKnown("role_definition_id".to_owned()))),
    })
}

fn user_assigned(block: &Block<'_, '_>, place: &Place, world: &mut World) -> Read<()> {
    let id = ids::id(block)?;
    let principal = ids::attribute(block, "principal_id");
    let value: Value = object(json!({"id": id, "name": last(&id), "location": block.identifier("location"),
        "properties": {"principalId": principal}}));
    put(world, place.list(IDENTITIES), &id, value);
    Ok(())
}
