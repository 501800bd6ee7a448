/** The bundled templates are found, with their pictures. */
import { describe, expect, test } from "vitest";
import { missingForTemplate, pictureOf, TEMPLATES } from "../../src/state/files/templates";

describe("the templates that come along", () => {
  test.each(TEMPLATES)("$id has its picture and its workflow", async (template) => {
    expect(pictureOf(template)).toMatch(new RegExp(`${template.id}\\b.*\\.webp`));
    // With an empty catalog every class is missing, which shows that the workflow was read.
    const { classes } = await missingForTemplate(template);
    expect(classes.length).toBeGreaterThan(0);
  });
});
