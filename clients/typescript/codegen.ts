import type { CodegenConfig } from "@graphql-codegen/cli";

const config: CodegenConfig = {
  schema: "../../schema.graphql",
  documents: "../../docs/operations/*.graphql",
  generates: {
    "heddle.ts": {
      plugins: ["typescript-operations", "typed-document-node"],
      config: {
        useTypeImports: true,
        enumsAsTypes: true,
        scalars: { DateTime: "string", Date: "string", Cursor: "string", BigInt: "number", JSON: "unknown" },
      },
    },
  },
};

export default config;
