/** The templates that come along are found, with their pictures. */
import { describe, expect, test } from "vitest";
import { missingForTemplate, pictureOf, TEMPLATES } from "../../src/state/files/templates";

describe("the templates that come along", () => {
  test.each(TEMPLATES)("$id has its picture and its workflow", async (template) => {
    expect(pictureOf(template)).toMatch(new RegExp(`${template.id}\\b.*\\.webp`));
    // Where no class is known, every node of the workflow is lacking: it was read.
    const { classes } = await missingForTemplate(template);
    expect(classes.length).toBeGreaterThan(0);
  });
});
