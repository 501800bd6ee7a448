/** The bundled templates are found, with their pictures. */
import { describe, expect, test } from "vitest";
import { pictureOf, TEMPLATES, textOf } from "../../src/state/files/templates";

describe("the templates that come along", () => {
  test.each(TEMPLATES)("$id has its picture and its workflow", async (template) => {
    expect(pictureOf(template)).toMatch(new RegExp(`${template.id}\\b.*\\.webp`));
    const { nodes } = JSON.parse(await textOf(template));
    expect(nodes.length).toBeGreaterThan(0);
  });
});
