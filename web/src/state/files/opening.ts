/** What becomes of files that are dropped, pasted or chosen: documents, or pictures for a node. */
import { bring } from "../../api/upload";
import type { Point } from "../../document/graph";
import { NotAWorkflow } from "../../document/read";
import { t } from "../../words/words";
import { addHolding } from "../editing/actions";
import { documentIn } from "../embedded/document";
import { namedValue } from "../fields/fileValue";
import { kindOfFile } from "../fields/mediaTypes";
import { activeTab, schemaOf } from "../studio";
import { tell, tellError } from "../view";
import { tellDamage } from "./damage";
import { noteFile } from "./lists";
import { openDocument } from "./prompt";

const BESIDE = 40;

/** Opens all of them, pictures one beside the other. */
export async function openEach(files: readonly File[], at: Point | null): Promise<void> {
  for (const [index, file] of files.entries()) {
    await openOne(file, at && { x: at.x + index * BESIDE, y: at.y + index * BESIDE });
  }
}

/** A picture without a workflow becomes a node at its place, where there is one. */
async function openOne(file: File, at: Point | null): Promise<void> {
  try {
    const found = await documentIn(file);
    if (found !== null) {
      openDocument(found.value, file.name.replace(/\.[^.]+$/, ""));
      if (found.left !== null) tellMade(file.name, found.left);
      else tellDamage(found.value, file.name);
      return;
    }
    const isPicture = file.type.startsWith("image/") || kindOfFile(file.name) === "image";
    if (at === null || !isPicture)
      throw new NotAWorkflow("{{name}} holds no workflow.", { name: file.name });
    await addPicture(file, at);
  } catch (error) {
    tellError(error);
  }
}

function tellMade(name: string, left: readonly string[]): void {
  tell(
    left.length === 0
      ? t("This graph was made from the text in {{name}}.", { name })
      : t("This graph was made from the text in {{name}}. Left out: {{parts}}.", {
          name,
          parts: left.join(", "),
        }),
  );
}

async function addPicture(file: File, at: Point): Promise<void> {
  const { id, level } = activeTab();
  const schema = schemaOf("LoadImage");
  if (schema === undefined) throw new Error("This server has no node that loads pictures.");
  const { signal } = new AbortController();
  const brought = await bring(file, { signal, onProgress: () => undefined });
  noteFile(brought, "image");
  addHolding({ id, level }, schema, at, { image: namedValue(brought) });
}
