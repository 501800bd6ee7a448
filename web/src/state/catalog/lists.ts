/**
 * The lists of the user's files in fields. An uploaded file is added to the lists at once; then the
 * server's lists are read again, for the few nodes that have one.
 */
import { catalogOf } from "../../api/catalog";
import type { ImageFile } from "../../api/jobs";
import type { InputSchema, NodeSchema } from "../../api/types";
import { equalJson } from "../../document/json";
import { mediaOf, namedValue, placeOfValues } from "../nodes/fileValue";
import type { MediaKind } from "../nodes/mediaTypes";
import { client } from "../session/server";
import { setCatalog, useStudio } from "../session/studio";
import { useExtensions, withPluginWidgets } from "./extensions";

/** Adds a file to the lists, whether or not they can be read from the server. */
export function addFileToLists(file: ImageFile, kind: MediaKind): void {
  replaceSchemas((schema) => {
    const inputs = schema.inputs.map((each) => withFile(each, file, kind));
    return inputs.every((each, index) => each === schema.inputs[index])
      ? schema
      : { ...schema, inputs };
  });
  // A failure is harmless: the next load of the catalog includes the file.
  void readLists(kind).catch(() => undefined);
}

function withFile(input: InputSchema, file: ImageFile, kind: MediaKind): InputSchema {
  const place = placeOfValues(input);
  if (mediaOf(input) !== kind || file.type !== place || input.choices === null) return input;
  const name = namedValue(file, place);
  return input.choices.includes(name) ? input : { ...input, choices: [...input.choices, name] };
}

async function readLists(kind: MediaKind): Promise<void> {
  const listing = Object.values(useStudio.getState().catalog).filter(({ inputs }) =>
    inputs.some((each) => mediaOf(each) === kind),
  );
  const read = await Promise.all(listing.map(({ class_type }) => client.describe(class_type)));
  const { declared } = useExtensions.getState();
  const described = withPluginWidgets(
    catalogOf(read.flatMap(Object.entries<NodeSchema>)),
    declared,
  );
  replaceSchemas((schema) => {
    const found = described[schema.class_type];
    return found === undefined || equalJson(found, schema) ? schema : found;
  });
}

/** The catalog changes only where a schema changes, so that other nodes are not rendered again. */
function replaceSchemas(replaced: (schema: NodeSchema) => NodeSchema): void {
  const { catalog } = useStudio.getState();
  const next = Object.entries(catalog).map(([name, each]) => [name, replaced(each)] as const);
  if (next.some(([name, each]) => each !== catalog[name])) setCatalog(catalogOf(next));
}
